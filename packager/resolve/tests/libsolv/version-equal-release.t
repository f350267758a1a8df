# A requirement without a release takes every release.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: b = 2
#>=Pkg: b 2 1 noarch
#>=Pkg: b 2 7 noarch
#>=Pkg: b 3 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install b-2-7.noarch@available
