# Packages that require each other.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Req: b
#>=Pkg: b 1 1 noarch
#>=Req: a
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install b-1-1.noarch@available
