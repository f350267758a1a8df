# An update stays in its architecture.
repo system 0 testtags <inline>
#>=Pkg: lib 1 1 i686
repo available 0 testtags <inline>
#>=Pkg: lib 2 1 x86_64
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
