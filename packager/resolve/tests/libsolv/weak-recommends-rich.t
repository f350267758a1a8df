# A conditional recommendation.
repo system 0 testtags <inline>
#>=Pkg: k 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Rec: b <IF> k
#>=Rec: c <IF> l
#>=Pkg: b 1 1 noarch
#>=Pkg: c 1 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install b-1-1.noarch@available
