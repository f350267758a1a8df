# A capability is asked for.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: b 1 1 noarch
#>=Prv: web = 1
#>=Pkg: c 2 1 noarch
#>=Prv: web = 3
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install provides web >= 2
result transaction,problems <inline>
#>install c-2-1.noarch@available
