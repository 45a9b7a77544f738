# a comment
/* another, with ; and "quotes"
   over lines */ require /* here */ [ "fileinto" ,# and here
"copy"];
IF TRUE { FileInto :COPY "x" ; } elsif Not False{stop;}
if allof(true,anyof(false,true)){keep;}
if header :is "subject" text: # comment
..dots
.
{ keep; }
