using System.Management.Automation;
using System.Management.Automation.Runspaces;
using Qcow2.Shell.Hosting;
using Qcow2.Shell.Options;

namespace Qcow2.Shell.Sessions;

/// <summary>Runs the shell from its first line to its exit code.</summary>
internal static class ShellRunner
{
    /// <summary>Loads the module and does what <paramref name="options"/> say.</summary>
    internal static int Run(ShellOptions options)
    {
        Terminal terminal = new();
        ShellHostUserInterface ui = new(terminal, options.NonInteractive, Console.Out, Console.Error);
        using ShellSession? session = Open(ui, options.ModulePath);
        if (session is null)
        {
            return ExitCode.Failure;
        }

        using InterruptHandler interrupts = new(session);
        int code = options.Mode switch
        {
            ShellMode.Command => RunText(session, options.Text),
            ShellMode.File => RunFile(session, options, ui),
            ShellMode.Prompt when terminal.Input && !options.NonInteractive => new Repl(session, ui, options.NoLogo).Run(),
            _ => RunText(session, Console.In.ReadToEnd()),
        };
        ui.ClearProgress();
        return session.RequestedExitCode ?? (session.WasInterrupted ? ExitCode.Interrupted : code);
    }

    // Null: the module could not be loaded, and the user has been told why.
    private static ShellSession? Open(ShellHostUserInterface ui, string? modulePath)
    {
        ShellSession? session = null;
        try
        {
            string manifest = ModuleLocator.Find(modulePath);
            ModuleLocator.AddToModulePath(manifest);
            session = new ShellSession(new ShellHost(ui));
            session.ImportModule(manifest);
            return session;
        }
        catch (Exception e) when (e is FileNotFoundException or RuntimeException)
        {
            ui.WriteErrorLine($"qcow2sh: the Qcow2 module could not be loaded. {e.Message}");
            session?.Dispose();
            return null;
        }
    }

    private static int RunText(ShellSession session, string text) =>
        session.RunText(text) ? ExitCode.Success : ExitCode.Failure;

    private static int RunFile(ShellSession session, ShellOptions options, ShellHostUserInterface ui)
    {
        string path = Path.GetFullPath(options.Text);
        if (!File.Exists(path))
        {
            ui.WriteErrorLine($"qcow2sh: there is no script {path}. To run commands, use -Command.");
            return ExitCode.Usage;
        }

        if (!Path.GetExtension(path).Equals(".ps1", StringComparison.OrdinalIgnoreCase))
        {
            ui.WriteErrorLine($"qcow2sh: {path} is not a script; a script's name ends in .ps1. To run commands, use -Command.");
            return ExitCode.Usage;
        }

        IEnumerable<CommandParameter> arguments = ScriptArguments.Parse(options.ScriptArguments);
        return session.RunFile(path, arguments) ? ExitCode.Success : ExitCode.Failure;
    }
}
