# `~` is before, `^` after the release.
repo system 0 testtags <inline>
repo available 0 testtags <inline>
#>=Pkg: a 1.0~rc1 1 noarch
#>=Pkg: a 1.0 1 noarch
#>=Pkg: a 1.0^git1 1 noarch
#>=Pkg: a 1.0~rc2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name a
result transaction,problems <inline>
#>install a-1.0^git1-1.noarch@available
