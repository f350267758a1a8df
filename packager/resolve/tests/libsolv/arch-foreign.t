# What the machine does not run is not there.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 2 1 ppc64le
#>=Pkg: a 1 1 x86_64
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.x86_64@available
