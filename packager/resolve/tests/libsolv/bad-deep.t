# A contradiction far down.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: b
#>=Req: c
#>=Pkg: b 1 1 noarch
#>=Req: d < 2
#>=Pkg: c 1 1 noarch
#>=Req: d >= 2
#>=Pkg: d 1 1 noarch
#>=Pkg: d 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>problem a7d143fe info package a-1-1.noarch requires b, but none of the providers can be installed
#>problem a7d143fe solution 7981ef42 deljob install name a
