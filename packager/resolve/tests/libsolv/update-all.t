# Everything is updated.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Pkg: b 1 1 noarch
#>=Pkg: c 5 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 2 1 noarch
#>=Pkg: b 2 1 noarch
#>=Pkg: c 4 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
#>upgrade a-1-1.noarch@system a-2-1.noarch@available
#>upgrade b-1-1.noarch@system b-2-1.noarch@available
