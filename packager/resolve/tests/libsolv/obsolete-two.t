# One package replaces two.
repo system 0 testtags <inline>
#>=Pkg: old1 1 1 noarch
#>=Pkg: old2 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: new 2 1 noarch
#>=Obs: old1
#>=Obs: old2
#>=Prv: old1 = 2
#>=Prv: old2 = 2
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
#>erase old1-1-1.noarch@system new-2-1.noarch@available
#>erase old2-1-1.noarch@system new-2-1.noarch@available
#>install new-2-1.noarch@available
