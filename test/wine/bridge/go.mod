module luminaguard/test/wine/bridge

go 1.21
