# A supplement of two.
repo system 0 testtags <inline>
#>=Pkg: lang 1 1 noarch
repo available 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Pkg: a-lang 1 1 noarch
#>=Sup: a & lang
#>=Pkg: a-fr 1 1 noarch
#>=Sup: a & french
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1-1.noarch@available
#>install a-lang-1-1.noarch@available
