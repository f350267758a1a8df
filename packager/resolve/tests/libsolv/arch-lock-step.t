# Beside the best architecture only at its version, so that one is updated too.
repo system 0 testtags <inline>
#>=Pkg: lib 1 1 x86_64
repo available 0 testtags <inline>
#>=Pkg: app 1 1 i686
#>=Req: lib(32)
#>=Pkg: lib 2 1 x86_64
#>=Pkg: lib 2 1 i686
#>=Prv: lib(32)
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name app
result transaction,problems <inline>
#>install app-1-1.i686@available
#>install lib-2-1.i686@available
#>upgrade lib-1-1.x86_64@system lib-2-1.x86_64@available
