# SPDX-License-Identifier: MIT
"""Cases that nobody thought of: expressions, weights, chains of recipes and expansions, from a seed."""
import itertools
import random
import re
import string

import cases as fixed

SEED = 1
LETTERS = "abc"


def text_line(r):
    return "".join(r.choice("aaabbbcc  _-.") for _ in range(r.randrange(0, 14)))


def message(r):
    return fixed.FROM + "X-A: %s\nX-B:%s\n %s\nX-C: %s\n\n%s\n" % (
        text_line(r), text_line(r), text_line(r) or "a", text_line(r), "\n".join(text_line(r) for _ in range(r.randrange(1, 6))))


def atom(r, depth):
    kind = r.randrange(14)
    if kind == 0:
        return "."
    if kind == 1:
        return "[%s%s]" % (r.choice(["", "^"]), r.choice(["a", "ab", "a-c", "b_", " a", "]a", "a-", "-c", "."]))
    if kind == 2:
        return r.choice(["\\<", "\\>", "\\.", "\\-"])
    if kind == 3 and depth < 3:
        return "(%s)" % either(r, depth + 1)
    if kind == 4:
        return r.choice(["^", "$"])
    if kind == 5:
        return r.choice(["X-A:", "X-B:", " "])
    return r.choice(LETTERS)


def may_be_empty(e):
    return re.fullmatch(re.sub(r"\\\\[<>]|[$^](?![^[]*\])", "x", e), "") is not None


def sequence(r, depth):
    out = ""
    for _ in range(r.randrange(0 if depth else 1, 5)):
        one = atom(r, depth)
        # procmail does not come to an end with (a?)*
        if r.randrange(3) == 0 and one not in "^$":
            one += "" if one[0] == "(" and may_be_empty(one) else r.choice("*+?")
        out += one
    return out


def either(r, depth):
    return "|".join(sequence(r, depth) for _ in range(r.choice([1, 1, 1, 2, 3] if depth else [1, 1, 1, 1, 2])))


def expression(r):
    out = either(r, 0)
    if r.randrange(12) == 0:
        out = "^^" + out
    if r.randrange(12) == 0:
        out = out.rstrip("^") + "^^"
    if r.randrange(4) == 0:
        out = re.sub(r"(?<!\\)[+?]$", "", sequence(r, 1)) + "\\/" + sequence(r, 0)     # not a+\/b: see cases.KNOWN
    return out


def condition(r):
    e = expression(r)
    if e[:1] in "$!?<>* \\" or not e:
        e = "a" + e
    area = r.choice(["", "B ?? ", "HB ?? ", "VALUE ?? "])
    invert = r.choice(["", "", "", "! "])
    weight = ""
    if r.randrange(3) == 0:
        if "\\/" in e:
            e = e.replace("$", "c").replace("^", "b")   # see cases.KNOWN
        weight = "%s^%s " % (r.choice(["1", "-1", "2.5", "100", "-.5", "1000"]), r.choice(["0", "1", ".5", "2", "-1", "-.5", "1.5"]))
    return weight + invert + area + e


def condition_lists(r, count):
    return [(r.choice(["", "", " B", " D", " HB"]), [condition(r) for _ in range(r.choice([1, 1, 1, 2, 3]))]) for _ in range(count)]


def chain(r, depth=0):
    """Recipes with A, a, E and e, some of which match and some of which fail."""
    out = []
    for _ in range(r.randrange(2, 7)):
        flags = "".join(x for x in "AaEe" if r.randrange(4) == 0)
        name = "".join(r.choice(string.ascii_lowercase) for _ in range(4))
        lines = "".join("* %s^X-A\n" % r.choice(["", "!"]) for _ in range(r.randrange(2)))
        kind = r.randrange(8)
        if kind == 0:
            action = "nodir/x"
            flags += "c"
        elif kind == 1 and depth < 3:
            action = "{\n%s}" % chain(r, depth + 1)
        elif kind == 2:
            action = "| cat >/dev/null; %s" % r.choice(["true", "false"])
            flags += r.choice(["wc", "Wc", "wci"])
        elif kind == 3:
            action = r.choice(["X=| sed -n 1p", "X=| cat >/dev/null; exit 1"])
            flags += "w"
        elif kind == 4:
            action = r.choice(["| sed -e s/X-C/X-C/", "| cat; exit 1"])
            flags += "fw"
        else:
            action = "{ LOG=\"%s\n\" }" % name
        out.append(":0%s\n%s%s\n" % (flags, lines, action))
        if r.randrange(3) == 0:
            out.append("LOG=\"[%s]\n\"\n" % name)
    return "".join(out)


def expansion(r, depth=0):
    out = ""
    for _ in range(r.randrange(1, 5)):
        kind = r.randrange(16)
        if kind < 4:
            out += r.choice(["a", "b c", "x.y", "\\\\", "\\$", "\\a", "#", "'"])
        elif kind < 7:
            out += "$" + r.choice(["A", "E", "U", "{A}", "{E}", "{U}", "\\A", "1", "#", "=", "-"])
        elif kind < 11 and depth < 3:
            out += "${%s%s%s}" % (r.choice("AEU"), r.choice([":-", "-", ":+", "+"]), expansion(r, depth + 1).replace("'", "").replace("#", ""))
        elif kind == 11:
            out += "`echo '%s'`" % r.choice(["q", "q  r", "$A"])
        else:
            out += r.choice(string.ascii_lowercase)
    return out.replace("$$", "$")


def assignment(r):
    kind = r.randrange(4)
    value = expansion(r)
    if kind == 0:
        return "V=\"%s\"" % value
    if kind == 1:
        return "V=%s" % value.replace(" ", "").replace("'", "").replace("#", "").replace("`", "")
    if kind == 2:
        return "V='%s'" % value.replace("'", "")
    return "V=%s\"%s\"" % (r.choice(["x", "$A", "\\ "]), value)


def every_chain():
    """All that A, a, E and e can mean behind two recipes that work, fail or do not match."""
    flags = ["".join(x) for n in range(5) for x in itertools.combinations("AaEe", n)]
    kinds = {"ok": "{ }", "fail": "nodir/x", "no": "* ^Nope\n{ }"}
    for first in kinds:
        for second in flags:
            rc = "LOGABSTRACT=no\n"
            for then in kinds:
                for last in flags:
                    for flag, kind in (("", first), (second, then)):
                        rc += ":0%s%s\n%s\n" % (flag, "c" if kind == "fail" else "", kinds[kind])
                    rc += ":0%s\n{ LOG=\"%s %s\n\" }\n" % (last, then, last)
            yield fixed.Case("recipes", "generated/flags/%s-%s" % (first, second), rc + ":0\n/dev/null\n", fixed.PLAIN)


def cases(seed):
    r = random.Random(seed)
    yield from every_chain()
    for i in range(12):
        lists = condition_lists(r, 30)
        rc = "VALUE=\"%s\"\n" % text_line(r) + fixed.conditions(lists) + ":0\nbox\n"
        yield fixed.Case("conditions", "generated/conditions/%d" % i, rc, message(r), ("box",))
    for i in range(60):
        yield fixed.Case("recipes", "generated/chain/%d" % i, chain(r) + ":0\nbox\n", message(r), ("box",))
    for i in range(10):
        rc = "A=\"a  b.c*\"\nE=\n" + "".join("%s\nLOG=\"%d [$V]\n\"\n" % (re.sub(r"\$\$+", "$", assignment(r)), k) for k in range(30)) + ":0\nbox\n"
        yield fixed.Case("recipes", "generated/expansion/%d" % i, rc, message(r), ("box",))
