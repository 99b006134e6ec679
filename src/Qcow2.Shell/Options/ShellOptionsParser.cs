namespace Qcow2.Shell.Options;

/// <summary>Reads a command line as pwsh does: names are case-insensitive and may be shortened; one dash or two.</summary>
internal static class ShellOptionsParser
{
    private static readonly string[] Names = ["Command", "File", "ModulePath", "NonInteractive", "NoLogo", "NoProfile", "Version", "Help"];

    private static readonly Dictionary<string, string> Shorthands = new(StringComparer.OrdinalIgnoreCase)
    {
        ["c"] = "Command",
        ["f"] = "File",
        ["v"] = "Version",
        ["h"] = "Help",
        ["?"] = "Help",
        ["nop"] = "NoProfile",
        ["noni"] = "NonInteractive",
    };

    /// <summary>Reads <paramref name="args"/>.</summary>
    /// <exception cref="UsageException">An option is unknown, ambiguous or lacks its value.</exception>
    internal static ShellOptions Parse(IReadOnlyList<string> args)
    {
        ShellOptions options = new();
        for (int i = 0; i < args.Count; i++)
        {
            string arg = args[i];
            if (arg == "-")
            {
                return options with { Mode = ShellMode.StandardInput };
            }

            if (!arg.StartsWith('-') && arg != "/?")
            {
                return File(options, args, i);
            }

            switch (FullName(arg))
            {
                case "Command":
                    return Command(options, args, i + 1);
                case "File":
                    return File(options, args, i + 1);
                case "ModulePath":
                    options = options with { ModulePath = Value(args, ++i, "-ModulePath", "a folder or a .psd1 file") };
                    break;
                case "NonInteractive":
                    options = options with { NonInteractive = true };
                    break;
                case "NoLogo":
                    options = options with { NoLogo = true };
                    break;
                case "Version":
                    return options with { Mode = ShellMode.Version };
                case "Help":
                    return options with { Mode = ShellMode.Help };
            }
        }

        return options;
    }

    private static ShellOptions Command(ShellOptions options, IReadOnlyList<string> args, int start)
    {
        string text = Value(args, start, "-Command", "the commands to run, or '-' for standard input");
        return text == "-" && start == args.Count - 1
            ? options with { Mode = ShellMode.StandardInput }
            : options with { Mode = ShellMode.Command, Text = string.Join(' ', args.Skip(start)) };
    }

    private static ShellOptions File(ShellOptions options, IReadOnlyList<string> args, int start)
    {
        string path = Value(args, start, "-File", "a script's path, or '-' for standard input");
        return path == "-"
            ? options with { Mode = ShellMode.StandardInput }
            : options with { Mode = ShellMode.File, Text = path, ScriptArguments = [.. args.Skip(start + 1)] };
    }

    private static string Value(IReadOnlyList<string> args, int index, string option, string expected) =>
        index < args.Count ? args[index] : throw new UsageException($"{option} needs {expected}.");

    private static string FullName(string arg)
    {
        string name = arg.TrimStart('-', '/');
        if (Shorthands.TryGetValue(name, out string? full))
        {
            return full;
        }

        string[] matches = [.. Names.Where(n => name.Length > 0 && n.StartsWith(name, StringComparison.OrdinalIgnoreCase))];
        return matches switch
        {
            [string one] => one,
            [] => throw new UsageException($"the option '{arg}' is unknown."),
            _ => throw new UsageException($"the option '{arg}' is ambiguous: -{string.Join(", -", matches)}."),
        };
    }
}
