# What cannot be installed is left out.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Rec: b
#>=Rec: c
#>=Pkg: b 1 1 noarch
#>=Req: missing
#>=Pkg: c 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install c-1-1.noarch@available
