# The release decides last.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1 2 noarch
#>=Pkg: a 1 10 noarch
#>=Pkg: a 1 9 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-10.noarch@available
