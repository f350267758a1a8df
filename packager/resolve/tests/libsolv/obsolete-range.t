# Obsoletes out of range do nothing.
repo system 0 testtags <inline>
#>=Pkg: old 3 1 noarch
repo available 0 testtags <inline>
#>=Pkg: new 2 1 noarch
#>=Obs: old < 2
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
