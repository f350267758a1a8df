# Obsoletes are about names, not about provides.
repo system 0 testtags <inline>
#>=Pkg: keeper 1 1 noarch
#>=Prv: old = 1
repo available 0 testtags <inline>
#>=Pkg: new 2 1 noarch
#>=Obs: old < 2
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name new
result transaction,problems <inline>
#>install new-2-1.noarch@available
