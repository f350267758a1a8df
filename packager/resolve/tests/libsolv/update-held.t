# An update that would break another is left out.
repo system 0 testtags <inline>
#>=Pkg: a 1 1 noarch
#>=Pkg: b 1 1 noarch
#>=Req: a = 1
repo available 0 testtags <inline>
#>=Pkg: a 2 1 noarch
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
