# A package goes.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Pkg: b 1 1 noarch
repo available 0 testtags <inline>
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job erase name a
result transaction,problems <inline>
#>erase a-1-1.noarch@system
