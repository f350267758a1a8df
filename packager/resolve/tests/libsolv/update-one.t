# Only what is named is updated.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Pkg: b 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 2 1 noarch
#>=Pkg: b 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update name a
result transaction,problems <inline>
#>upgrade a-1-1.noarch@system a-2-1.noarch@available
