module luminaguard/guest

go 1.19

require golang.org/x/net v0.33.0
