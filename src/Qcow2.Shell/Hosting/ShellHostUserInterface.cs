using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

namespace Qcow2.Shell.Hosting;

/// <summary>
/// Where the engine's streams go: objects to standard output, everything about them (errors, warnings, verbose, debug, progress) to
/// standard error, so that output can be piped.
/// </summary>
internal sealed class ShellHostUserInterface : PSHostUserInterface
{
    private readonly Terminal _terminal;
    private readonly TextWriter _output;
    private readonly TextWriter _error;
    private readonly ProgressLine _progress;
    private readonly Questioner _questioner;
    private readonly ShellRawUserInterface _raw;

    /// <param name="terminal">What the streams are connected to.</param>
    /// <param name="nonInteractive">A question is an error.</param>
    /// <param name="output">Takes the output.</param>
    /// <param name="error">Takes errors and progress.</param>
    internal ShellHostUserInterface(Terminal terminal, bool nonInteractive, TextWriter output, TextWriter error)
    {
        _terminal = terminal;
        _output = output;
        _error = error;
        _raw = new ShellRawUserInterface(terminal);
        _progress = new ProgressLine(terminal.Error ? error : null, () => _raw.BufferSize.Width);
        _questioner = new Questioner(this, nonInteractive);
    }

    public override PSHostRawUserInterface RawUI => _raw;

    public override bool SupportsVirtualTerminal => _terminal.Output && _terminal.Colour;

    private bool ErrorColour => _terminal.Error && _terminal.Colour;

    /// <summary>Takes the progress line off the screen.</summary>
    internal void ClearProgress() => _progress.Clear();

    public override void Write(string value)
    {
        _progress.Clear();
        _output.Write(GetOutputString(value, SupportsVirtualTerminal));
    }

    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) =>
        Write(SupportsVirtualTerminal ? Ansi.Colour(foregroundColor, backgroundColor, value) : value);

    public override void WriteLine(string value) => Write(value + Environment.NewLine);

    public override void WriteErrorLine(string value) => WriteToError(Ansi.Red, value);

    public override void WriteWarningLine(string message) => WriteToError(Ansi.Yellow, $"WARNING: {message}");

    public override void WriteVerboseLine(string message) => WriteToError(Ansi.Yellow, $"VERBOSE: {message}");

    public override void WriteDebugLine(string message) => WriteToError(Ansi.Yellow, $"DEBUG: {message}");

    public override void WriteProgress(long sourceId, ProgressRecord record) => _progress.Show(sourceId, record);

    public override string ReadLine() => _questioner.ReadLine();

    public override SecureString ReadLineAsSecureString() => _questioner.ReadSecret();

    public override Dictionary<string, PSObject?> Prompt(string caption, string message, Collection<FieldDescription> descriptions) =>
        _questioner.AskFields(caption, message, descriptions);

    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice) =>
        _questioner.AskChoice(caption, message, choices, defaultChoice);

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) =>
        _questioner.AskCredential(caption, message, userName);

    public override PSCredential PromptForCredential(
        string caption,
        string message,
        string userName,
        string targetName,
        PSCredentialTypes allowedCredentialTypes,
        PSCredentialUIOptions options) => _questioner.AskCredential(caption, message, userName);

    private void WriteToError(string colour, string value)
    {
        _progress.Clear();
        if (!ErrorColour)
        {
            _error.WriteLine(Ansi.Strip(value));
        }
        else if (Ansi.IsIn(value))
        {
            _error.WriteLine(value);
        }
        else
        {
            _error.WriteLine(colour + value + Ansi.Reset);
        }
    }
}
