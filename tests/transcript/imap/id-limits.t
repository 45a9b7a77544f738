# RFC 2971 section 3.3: at most 30 pairs
O: imap_id_log=*
C: a ID ("a" "b" "c")
S~ a BAD *
C: b ID ("1" "x" "2" "x" "3" "x" "4" "x" "5" "x" "6" "x" "7" "x" "8" "x" "9" "x" "10" "x" "11" "x" "12" "x" "13" "x" "14" "x" "15" "x" "16" "x" "17" "x" "18" "x" "19" "x" "20" "x" "21" "x" "22" "x" "23" "x" "24" "x" "25" "x" "26" "x" "27" "x" "28" "x" "29" "x" "30" "x" "31" "x")
S: b BAD Error in IMAP command ID: Too many fields.
C: c ID (atom "x")
S: c BAD Error in IMAP command ID: Expected a string.
C: d ID ()
S: * ID ("name" "Culver")
S: d OK ID completed.
C: e ID ("name" {5+}
C: a b c)
S: * ID ("name" "Culver")
S: e OK ID completed.
