# A conflict with the installed version is solved by its update.
repo system 0 testtags <inline>
#>=Pkg: b 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Con: b < 2
#>=Pkg: b 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>upgrade b-1-1.noarch@system b-2-1.noarch@available
