using System.Management.Automation.Language;
using Qcow2.Shell.Hosting;

namespace Qcow2.Shell.Sessions;

/// <summary>The prompt: read, run, show, again.</summary>
internal sealed class Repl(ShellSession session, ShellHostUserInterface ui, bool noLogo)
{
    private const string Hint = "Commands: Get-Command -Module Qcow2     Help: Get-Help Get-Qcow2Image -Examples     Leave: exit";

    /// <summary>Runs until <c>exit</c> or the end of input.</summary>
    internal int Run()
    {
        if (!noLogo)
        {
            ui.WriteLine(ShellVersion.Line);
            ui.WriteLine(Hint);
        }

        while (session.RequestedExitCode is null && ReadStatement() is { } statement)
        {
            if (!string.IsNullOrWhiteSpace(statement))
            {
                session.RunText(statement);
            }
        }

        return ExitCode.Success;
    }

    /// <summary>Whether <paramref name="text"/> breaks off where more could follow, such as an open brace.</summary>
    internal static bool IsIncomplete(string text)
    {
        Parser.ParseInput(text, out _, out ParseError[] errors);
        return errors.Length > 0 && errors.All(e => e.IncompleteInput);
    }

    // Lines until they parse; an empty line gives up waiting for more and lets the parser say what is missing.
    private string? ReadStatement()
    {
        string prompt = session.Evaluate("prompt");
        ui.Write(prompt.Length > 0 ? prompt : "QCOW2 > ");
        string? text = Console.In.ReadLine();
        while (text is not null && IsIncomplete(text))
        {
            ui.Write(">> ");
            string? line = Console.In.ReadLine();
            if (string.IsNullOrEmpty(line))
            {
                break;
            }

            text += Environment.NewLine + line;
        }

        return text;
    }
}
