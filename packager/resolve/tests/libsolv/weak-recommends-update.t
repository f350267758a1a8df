# Recommendations of updates count.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 2 1 noarch
#>=Rec: b
#>=Pkg: b 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
#>install b-1-1.noarch@available
#>upgrade a-1-1.noarch@system a-2-1.noarch@available
