# Without a provide the obsoleting one is an update as well.
repo system 0 testtags <inline>
#>=Pkg: old 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: new 2 1 noarch
#>=Obs: old < 2
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
#>erase old-1-1.noarch@system new-2-1.noarch@available
#>install new-2-1.noarch@available
