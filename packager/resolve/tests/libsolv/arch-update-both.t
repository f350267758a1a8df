# Both architectures are updated.
repo system 0 testtags <inline>
#>=Pkg: lib 1 1 x86_64
#>=Pkg: lib 1 1 i686
repo available 0 testtags <inline>
#>=Pkg: lib 2 1 x86_64
#>=Pkg: lib 2 1 i686
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job update all packages
result transaction,problems <inline>
#>upgrade lib-1-1.i686@system lib-2-1.i686@available
#>upgrade lib-1-1.x86_64@system lib-2-1.x86_64@available
