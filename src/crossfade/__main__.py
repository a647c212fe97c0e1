from crossfade.cli.main import main

main()
