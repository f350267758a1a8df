# Two architectures of a name stand side by side.
repo system 0 testtags <inline>
#>=Pkg: lib 1 1 x86_64
#>=Prv: lib(x86-64) = 1-1
repo available 0 testtags <inline>
#>=Pkg: app 1 1 i686
#>=Req: lib(x86-32)
#>=Pkg: lib 1 1 i686
#>=Prv: lib(x86-32) = 1-1
system x86_64 rpm system
poolflags implicitobsoleteusescolors
job install name app
result transaction,problems <inline>
#>install app-1-1.i686@available
#>install lib-1-1.i686@available
