"""The subcommands of ``emovec``, a module each; they import what they need when they run."""
