# One package in a range.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: x >= 2 + x < 3
#>=Pkg: b 1 1 noarch
#>=Prv: x = 3
#>=Pkg: c 1 1 noarch
#>=Prv: x = 2.5
#>=Pkg: d 1 1 noarch
#>=Prv: x = 1
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install c-1-1.noarch@available
