# The newest is impossible, so the one before.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 3 1 noarch
#>=Req: missing
#>=Pkg: a 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
#>upgrade a-1-1.noarch@system a-2-1.noarch@available
