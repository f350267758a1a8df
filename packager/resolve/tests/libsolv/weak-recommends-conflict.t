# A recommendation removes nothing.
repo system 0 testtags <inline>
#>=Pkg: c 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Rec: b
#>=Pkg: b 1 1 noarch
#>=Con: c
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
