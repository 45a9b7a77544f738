# SPDX-License-Identifier: MIT
"""Whole rcfiles once more: names that look like others, how a run ends, and what formail's options mean together."""

from corners import MAILER

# Behind "X=", with variables whose names begin with an underscore.
UNDERSCORES = [
    '"$_A"', '"$_"', '"$__"', '"$_1"', '"${_A}"', '"${_}"', '"${__}"', '"${_A-none}"', '"${_N-none}"', '"${_N:-none}"', '"${_A:+some}"',
    '"${__A+some}"', '"$__A"', '"$_N"', '"${_-x}"', '"${_:-x}"', '"${_+x}"', "$_A", "$_ b", '"$_-A"', '"$_.A"', '"$\\_A"', '"$_a"', '"$A_"',
    '"$A_B"', '"${A_B}"',
]
NAMED = "_A=one\n__A=two\n__=three\nA_=four\nA_B=five\n_1=six\n_a=seven\n"

ENDS = {
    "exitcode abc": "EXITCODE=abc\n:0\nbox\n",
    "exitcode abc lost": "EXITCODE=abc\nDEFAULT=nodir/x\nORGMAIL=nodir/y\n",
    "exitcode abc and trap": "EXITCODE=abc\nTRAP='echo $EXITCODE >code; exit 9;'\n:0\nbox\n",
    "exitcode blank": "EXITCODE=' '\n:0\nbox\n",
    "exitcode blank and trap": "EXITCODE=' '\nTRAP='exit 9;'\n:0\nbox\n",
    "exitcode number and more": "EXITCODE=12abc\n:0\nbox\n",
    "exitcode behind blanks": "EXITCODE='  12'\n:0\nbox\n",
    "exitcode hex": "EXITCODE=0x10\n:0\nbox\n",
    "exitcode octal": "EXITCODE=010\n:0\nbox\n",
    "exitcode plus": "EXITCODE=+7\n:0\nbox\n",
    "exitcode zero and trap": "EXITCODE=0\nTRAP='exit 9;'\n:0\nbox\n",
    "exitcode minus": "EXITCODE=-5\n:0\nbox\n",
    "exitcode large": "EXITCODE=99999999999\n:0\nbox\n",
    "host exitcode": "EXITCODE=5\nHOST=x\n",
    "host exitcode abc": "EXITCODE=abc\nHOST=x\n",
    "lost exitcode": "EXITCODE=5\nDEFAULT=nodir/x\nORGMAIL=nodir/y\n",
    "lost exitcode zero": "EXITCODE=0\nDEFAULT=nodir/x\nORGMAIL=nodir/y\n",
}

# procmail ends at once, and goes on as another process: so nothing may be left to see of what that does.
QUIET = "LOGFILE=/dev/null\nORGMAIL=nodir/y\n"
DELIVERED = {
    "yes": "DELIVERED=yes\nDEFAULT=nodir/x\n",
    "number": "DELIVERED=1\nDEFAULT=nodir/x\n",
    "host": "DELIVERED=yes\nHOST=x\n",
    "and exitcode": "DELIVERED=yes\nEXITCODE=5\nHOST=x\n",
    "behind exitcode": "EXITCODE=5\nDELIVERED=yes\nHOST=x\n",
    "exitcode lost": "DELIVERED=yes\nEXITCODE=5\nDEFAULT=nodir/x\n",
    "exitcode null": "DELIVERED=yes\nEXITCODE=5\n:0\n/dev/null\n",
    "exitcode empty": "DELIVERED=yes\nEXITCODE=\nDEFAULT=nodir/x\n",
    "exitcode of trap": "DELIVERED=yes\nEXITCODE=\nTRAP='exit 9;'\nDEFAULT=nodir/x\n",
    "unset": "DELIVERED=yes\nDELIVERED\nDEFAULT=nodir/x\n",
    "no afterwards": "DELIVERED=yes\nDELIVERED=no\nEXITCODE=5\nDEFAULT=nodir/x\n",
    "clone": ":0wc\n{ DELIVERED=yes\nEXITCODE=5 }\nEXITCODE=$?\n:0\n/dev/null\n",
}
NOT_DELIVERED = {
    "delivered no": "DELIVERED=no\nDEFAULT=nodir/x\nORGMAIL=nodir/y\n",
    "delivered empty": "DELIVERED=\nDEFAULT=nodir/x\nORGMAIL=nodir/y\n",
    "delivered word": "DELIVERED=perhaps\nDEFAULT=nodir/x\nORGMAIL=nodir/y\n",
}

# A file that can not be executed is the shell's to read, and one that is not there the shell's to complain about.
SCRIPT = "X=`printf 'cat; echo \"[$1]\"; exit 4' >script; chmod 644 script;`\n"
UNSEEN = "LOGFILE=/dev/null\n"      # for what /bin/sh says of it
PROGRAMS = {
    "missing": UNSEEN + "X=`./gone`\nEXITCODE=$?\n:0\nbox\n",
    "missing condition": UNSEEN + ":0\n* ! ? ./gone\n{ EXITCODE=$? }\n:0\nbox\n",
    "missing score": UNSEEN + ":0\n* 1^1 ! ? ./gone\n{ EXITCODE=$= }\n:0\nbox\n",
    "missing filter": UNSEEN + ":0fw\n| ./gone a\nEXITCODE=$?\n:0\nbox\n",
    "missing pipe": UNSEEN + ":0w\n| ./gone a\nEXITCODE=$?\n:0\nbox\n",
    "missing capture": UNSEEN + ":0w\nX=| ./gone a\nEXITCODE=$?\n:0\nbox\n",
    "missing in the shell": UNSEEN + "X=`./gone;`\nEXITCODE=$?\n:0\nbox\n",
    "not executable": SCRIPT + "X=`./script 'a  b'`\nLOG=\"$X[$?]\n\"\n:0\nbox\n",
    "not executable condition": SCRIPT + ":0\n* ! ? ./script a\n{ EXITCODE=$? }\n:0\nbox\n",
    "not executable filter": SCRIPT + ":0f\n| ./script a\nEXITCODE=$?\n:0\nbox\n",
    "not executable pipe": SCRIPT + ":0w\n| ./script a\nEXITCODE=$?\n:0\nbox\n",
    "not executable capture": SCRIPT + ":0h\nX=| ./script a\nEXITCODE=$?\n:0\nbox\n",
    "not executable in the shell": UNSEEN + SCRIPT + "X=`./script a;`\nEXITCODE=$?\n:0\nbox\n",
    "directory": UNSEEN + "X=`mkdir dir`\nX=`./dir a`\nEXITCODE=$?\n:0\nbox\n",
    "not waited for": "X=`exit 3;`\n:0f\n| cat; exit 4\nLOG=\"[$?]\n\"\n:0\nY=| cat; exit 5\nLOG=\"[$?]\n\"\n"
                      ":0c\n| cat >/dev/null; exit 6\nLOG=\"[$?]\n\"\n:0\nbox\n",
    "waited for": "X=`exit 3;`\n:0fW\n| cat; exit 4\nLOG=\"[$?]\n\"\n:0w\nY=| cat; exit 5\nLOG=\"[$?]\n\"\n"
                  ":0cW\n| cat >/dev/null; exit 6\nLOG=\"[$?]\n\"\n:0\nbox\n",
    "killed": "X=`kill -9 $$;`\nEXITCODE=$?\n:0\nbox\n",
    "killed condition": ":0\n* ! ? kill -9 $$;\n{ LOG=\"[$?]\n\" }\n:0\nbox\n",
    "killed filter": ":0fw\n| kill -9 $$;\nLOG=\"[$?]\n\"\n:0\nbox\n",
    "killed pipe": ":0w\n| kill -9 $$;\nLOG=\"[$?]\n\"\n:0\nbox\n",
    "killed capture": ":0w\nX=| kill -9 $$;\nLOG=\"[$?]\n\"\n:0\nbox\n",
}

LOGS = {
    "logfile in no directory": "LOGFILE=$D/nodir/log\nLOG=\"lost\n\"\n:0\nbox\n",
    "logfile is a directory": "X=`mkdir dir`\nLOGFILE=$D/dir\nLOG=\"lost\n\"\n:0\nbox\n",
    "logfile fails, then log": "LOGFILE=$D/nodir/log\nLOGFILE=$D/log2\nLOG=\"kept\n\"\n:0\nbox\n",
    "logfile read only": "X=`touch ro; chmod 400 ro`\nLOGFILE=$D/ro\nLOG=\"kept\n\"\n:0\nbox\n",
    "logfile null": "LOGFILE=/dev/null\nLOG=\"lost\n\"\n:0\nbox\n",
    "logfile value": "LOGFILE=$D/nodir/log\nX=$LOGFILE\nLOGFILE=$D/log2\nLOG=\"[$X]\n\"\n:0\nbox\n",
    "logfile relative": "X=`mkdir sub`\nMAILDIR=sub\nLOGFILE=log3\nLOG=\"here\n\"\n:0\nbox\n",
    "logfile link to nowhere": "X=`ln -s nothere l`\nLOGFILE=$D/l\nLOG=\"here\n\"\n:0\nbox\n",
    "logfile mode": "UMASK=022\nLOGFILE=$D/log3\nLOG=\"here\n\"\n:0\nbox\n",
    "logfile unset, then log": "LOGFILE\nLOG=\"gone\n\"\nLOGFILE=$D/log2\nLOG=\"kept\n\"\n:0\nbox\n",
    "logfile fails, abstract": "LOGFILE=$D/nodir/log\nLOGABSTRACT=all\n:0c\none\n:0\nbox\n",
}

MAILDIRS = {
    "maildir unset": "X=`mkdir sub`\nMAILDIR=sub\nMAILDIR\n:0\nbox\n",
    "maildir unset value": "MAILDIR\nLOG=\"[${MAILDIR-unset}]\n\"\n:0\nbox\n",
    "maildir unset, program": "X=`mkdir sub`\nMAILDIR=sub\nMAILDIR\n:0w\n| pwd >$D/where; cat >out\n",
    "maildir unset, then set": "X=`mkdir sub`\nMAILDIR=sub\nMAILDIR\nMAILDIR=.\nLOG=\"[$MAILDIR]\n\"\n:0\nbox\n",
    "maildir unset, then sub": "X=`mkdir -p sub/sub`\nMAILDIR=sub\nMAILDIR\nMAILDIR=sub\nLOG=\"[$MAILDIR]\n\"\n:0\nbox\n",
    "maildir empty": "X=`mkdir sub`\nMAILDIR=sub\nMAILDIR=\nLOG=\"[$MAILDIR]\n\"\n:0\nbox\n",
    "maildir missing, then box": "X=`mkdir sub`\nMAILDIR=sub\nMAILDIR=nodir\nLOG=\"[$MAILDIR]\n\"\n:0\nbox\n",
    "maildir file": "X=`touch f`\nMAILDIR=f\nLOG=\"[$MAILDIR]\n\"\n:0\nbox\n",
    "maildir unset include": "X=`mkdir sub; echo 'LOG=\"top\n\"' >inc; echo 'LOG=\"sub\n\"' >sub/inc`\nMAILDIR=sub\nMAILDIR\nINCLUDERC=inc\n:0\nbox\n",
    "maildir unset log": "X=`mkdir sub`\nMAILDIR=sub\nMAILDIR\nLOGFILE=log3\nLOG=\"here\n\"\n:0\nbox\n",
    "maildir unset lock": "X=`mkdir sub`\nMAILDIR=sub\nMAILDIR\nLOCKFILE=l\nX=`ls $D $D/sub`\nLOG=\"$X\n\"\n:0\nbox\n",
    "default relative": "X=`mkdir sub`\nDEFAULT=d1 MAILDIR=sub\n",
    "default relative unset": "X=`mkdir sub`\nDEFAULT=d1 MAILDIR=sub\nMAILDIR\n",
}

# Conditions with the message of cases.PLAIN.
MACROS = [
    "\\^TO_bob", "\\^TObob", "\\^FROM_DAEMON", "\\^FROM_MAILER", "(^TO_)bob", "(\\^TO_)bob", "x|^TO_bob", "x|\\^TO_bob", "[^TO_]ob", "\\\\^TO_bob",
    "^^TO_bob", "^^^TO_bob", "! \\^TO_bob", "H ?? \\^TO_bob", "H ?? ^TO_bob", "$ ^TO_bob", "$ \\^TO_bob", "$ \\\\^TO_bob", "^TO_", "^TO", "^TO_$",
    "a^TO_bob", "(a|b)^TO_bob", "$^TO_bob", "^TO_\\/bob", "\\/^TO_bob", "^TO_(bob|carl)", "^(TO_bob)", "^to_bob", "^To_bob", "^FROM_DAEMONx",
    "\\^TO", "\\^TO\\_bob", "^TO\\_bob", "^T\\O_bob",
]

BLOCKS = {
    "one line": ":0 {\n:0\none\n}\n:0\nbox\n",
    "one line closed": ":0 { LOG=\"in\n\" }\n:0\nbox\n",
    "one line flags": ":0c {\n:0\none\n}\n:0\nbox\n",
    "one line flags apart": ":0 c {\n:0\none\n}\n:0\nbox\n",
    "one line lock": ":0: {\n:0\none\n}\n:0\nbox\n",
    "one line lock name": ":0:l {\n:0\none\n}\n:0\nbox\n",
    "one line condition": ":0 { * ^Subject\n:0\none\n}\n:0\nbox\n",
    "one line, conditions behind": ":0 {\n* ^Subject\n:0\none\n}\n:0\nbox\n",
    "one line false": ":0\n* ^Nope\n{ LOG=\"in\n\" }\n:0 E {\nLOG=\"else\n\"\n}\n:0\nbox\n",
    "one line folder": ":0 one\n:0\nbox\n",
    "one line pipe": ":0 | cat >out\n:0\nbox\n",
    "one line forward": ":0 ! a@b\n:0\nbox\n",
    "one line w pipe": ":0w | cat >out\n:0\nbox\n",
    "one line star": ":0 * ^Subject\none\n:0\nbox\n",
    "one line star false": ":0 * ^Nope\none\n:0\nbox\n",
    "one line comment": ":0 # {\n:0\none\n",
    "brace flag": ":0{\n:0\none\n}\n:0\nbox\n",
    "brace alone": ":0\n{\n}\n:0\nbox\n",
    "nested one line": ":0\n{ :0 {\n:0\none\n} }\n:0\nbox\n",
}

# Options for sendmail that come from variables.
OPTIONS = {
    "option literal": ":0w\n! -q a@b\n", "option variable": "X=-q\n:0w\n! $X a@b\n:0\nbox\n", "option quoted variable": "X=-q\n:0w\n! \"$X\"\n:0\nbox\n",
    "option match": ":0\n* ^Subject: hell\\/o\n{ X=-$MATCH }\n:0w\n! $X\n:0\nbox\n", "option default": ":0w\n! ${X:--q} a@b\n",
    "option flags": "X=-q\nSENDMAILFLAGS=$X\n:0w\n! a@b\n", "option inside": "X=-q\n:0w\n! a$X b\n", "option backquotes": ":0w\n! `echo -q` a@b\n:0\nbox\n",
}

FORMAIL = [
    '-ru To:', '-r -u Subject:', '-ru To: -a "To: y"', '-ru References:', '-ru To: -I "To: y"', '-ru To: -i "To: y"', '-ru X-Number:',
    '-rtu From:',
    '-I "From " -a "From "', '-i "From "', '-i "From x y"', '-i "From " -a "From "', '-I "From " -A "From "', '-R "From " X-From: -a "From "',
    '-I "From " -a "From z"', '-I "From " -a "From " -A "X: y"', '-a "From "', '-f -a "From "', '-f -I "From " -a "From "',
    '-a Message-ID:', '-A Message-ID:', '-a Message-ID: -A Message-ID:', '-a "Message-ID: <x@y>" -A "Message-ID: <z@y>"',
    '-A "Message-ID: <x@y>" -a "Message-ID: <z@y>"', '-a "Message-ID: <x@y>"', '-a X-N: -A "X-N: 1"', '-A "X-N: 1" -a "X-N: 2"',
    '-a "X-N: 2" -a "X-N: 3"', '-A "X-N: 2" -A "X-N: 3"', '-A "X-N: 1" -u X-N:', '-A "X-N: 1" -A "X-N: 2" -u X-N:', '-A "X-N: 1" -A "X-N: 2" -U X-N:',
    '-A "X-N: 1" -I X-N:', '-A "X-N: 1" -I "X-N: 2"', '-A "X-N: 1" -i "X-N: 2"', '-A "X-N: 1" -R X-N: Y-N:', '-A "X-N: 1" -x X-N:',
    '-a "X-N: 1" -x X-N:', '-I "X-N: 1" -x X-N:', '-A "To: z" -u To:', '-A "To: z" -U To:', '-u To: -a "To: z"', '-i "To: z" -u To:',
    '-i "To: z" -U To:', '-I "To: z" -U To:', '-R Cc: To: -u To:', '-R Cc: To: -U To:', '-R To: Cc: -u Cc:', '-a Resent-Message-ID:',
    '-i Message-ID:', '-I Message-ID:', '-i "Message-ID: <x@y>"', '-I "Message-ID: <x@y>"', '-r -a Message-ID:', '-r -A "Message-ID: <x@y>"',
    '-I "To: z" -x To:', '-I To: -x To:', '-i "To: z" -x To:', '-i To: -x To:', '-R To: X-T: -x X-T:', '-R To: X-T: -x To:', '-u To: -x To:',
    '-U To: -x To:', '-i "To: z" -x Old-To:', '-a "To: z" -x To:', '-a "X-N: z" -A "X-N: y" -x X-N:', '-A "X-N: y" -x X-N: -x To:',
    '-A Message-ID: -x Message-ID:', '-z -A "X-N:  y " -x X-N:', '-R Cc: To: -I To:', '-R Cc: To: -i To:', '-R Cc: To: -I "To: z"',
    '-R Cc: To: -a "To: z"', '-R To: Cc: -a "To: z"', '-R Cc: To: -R To: X-T:', '-u To: -R Cc: To:', '-R Subject: To: -u To:',
    '-R Subject: To: -U To:', '-R X- Y- -u Y-Number:', '-R X- Y- -a "Y-Number: 1"', '-R X- Y- -x Y-', '-r -a "X-Loop: z"', '-r -a "References: z"',
    '-r -A "X-N: 1" -a "X-N: 2"', '-r -i Cc: -a "Cc: z"', '-r -I "Cc: y" -a "Cc: z"', '-r -i "Cc: y" -a "Cc: z"', '-rk -a "Cc: z"',
    '-I To: -a "To: z"', '-i To: -a "To: z"', '-i "To: y" -a "To: z"', '-r -a "Cc: z" -x Cc:', '-r -R To: X-To: -a "To: z"', '-c -A "X-N: 1" -X X-N:',
    '-z -I "X-N: 1" -X ""', '-f -A "X-N: 1" -X ""', '-k -A "X-N: 1" -x X-N:', '-A "X-N: 1" -X ""', '-i "X-Number: 5" -x X-Number:',
    '-a "X-N: 1" -i "X-N: 2"', '-a "X-N: 1" -I "X-N: 2"', '-a "X-N: 1" -I X-N:', '-r -a "Subject: x"', '-r -a "Cc: x"', '-r -A "Cc: x" -a "Cc: y"',
]

RECIPES = {"name %s" % x: NAMED + "X=%s\nLOG=\"[$X]\n\"\n:0\nbox\n" % x for x in UNDERSCORES}
RECIPES.update({"end " + name: rc for name, rc in ENDS.items()})
RECIPES.update({"delivered " + name: QUIET + rc for name, rc in DELIVERED.items()})
RECIPES.update(NOT_DELIVERED)
RECIPES.update({name: MAILER + rc for name, rc in OPTIONS.items()})
RECIPES.update(LOGS)
RECIPES.update({"program " + name: rc for name, rc in PROGRAMS.items()})
RECIPES.update(MAILDIRS)
RECIPES.update({"macro " + x: "MATCH=none\n:0\n* %s\n{ LOG=\"yes\n\" }\nLOG=\"[$MATCH]\n\"\n:0\nbox\n" % x for x in MACROS})
RECIPES.update({"block " + name: rc for name, rc in BLOCKS.items()})
RECIPES.update({"formail " + x: "LOGABSTRACT=no\n:0fw\n| formail %s\n:0r\nbox\n" % x for x in FORMAIL})
RECIPES.update({"formail twice " + x: "LOGABSTRACT=no\n:0fhw\n| formail -A 'To: one' -A 'To: two' -A 'Message-ID: <m@n>' -A 'X-Loop: me' -A 'X-Loop: you'\n"
                ":0fw\n| formail %s\n:0r\nbox\n" % x for x in FORMAIL})
RECIPES.update({"capture formail " + x: "LOGABSTRACT=no\n:0w\nX=| formail %s\nLOG=\"[$X]\n\"\n:0r\nbox\n" % x for x in FORMAIL if "x " in x})
