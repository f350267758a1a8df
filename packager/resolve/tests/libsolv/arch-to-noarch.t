# An update may become `noarch`.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 x86_64
repo available 0 testtags <inline>
#>=Pkg: a 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
#>upgrade a-1-1.x86_64@system a-2-1.noarch@available
