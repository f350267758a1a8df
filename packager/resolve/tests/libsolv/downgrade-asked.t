# An older version that was asked for.
repo system 0 testtags <inline>
#>=Pkg: a 3 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 2 1 noarch
#>=Pkg: a 3 1 noarch
#>=Pkg: a 4 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a = 2-1
result transaction,problems <inline>
#>downgrade a-3-1.noarch@system a-2-1.noarch@available
