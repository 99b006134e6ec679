using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;
using System.Text;

namespace Qcow2.PowerShell.Tests.Infrastructure;

/// <summary>A host with a screen of 120 columns that keeps its text, and nobody to answer questions.</summary>
internal sealed class ScreenHost : PSHost
{
    private readonly Screen _screen = new();

    public override string Name => "Screen";

    public override Version Version { get; } = new(1, 0);

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override CultureInfo CurrentCulture => CultureInfo.CurrentCulture;

    public override CultureInfo CurrentUICulture => CultureInfo.CurrentUICulture;

    public override PSHostUserInterface UI => _screen;

    /// <summary>What was written since <see cref="Clear"/>.</summary>
    internal string Text => _screen.Text.ToString().ReplaceLineEndings("\n");

    internal void Clear() => _screen.Text.Clear();

    public override void SetShouldExit(int exitCode) => throw new NotSupportedException();

    public override void EnterNestedPrompt() => throw new NotSupportedException();

    public override void ExitNestedPrompt() => throw new NotSupportedException();

    public override void NotifyBeginApplication()
    {
    }

    public override void NotifyEndApplication()
    {
    }

    private sealed class Screen : PSHostUserInterface
    {
        internal StringBuilder Text { get; } = new();

        public override PSHostRawUserInterface RawUI { get; } = new Columns();

        public override void Write(string value) => Text.Append(GetOutputString(value, SupportsVirtualTerminal));

        public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Write(value);

        public override void WriteLine(string value) => Write(value + Environment.NewLine);

        public override void WriteErrorLine(string value) => Text.AppendLine(value);

        public override void WriteWarningLine(string message) => Text.AppendLine(message);

        public override void WriteVerboseLine(string message) => Text.AppendLine(message);

        public override void WriteDebugLine(string message) => Text.AppendLine(message);

        public override void WriteProgress(long sourceId, ProgressRecord record)
        {
        }

        public override string ReadLine() => throw Nobody();

        public override SecureString ReadLineAsSecureString() => throw Nobody();

        public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions) => throw Nobody();

        public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
        {
            Text.AppendLine(message); // It is read all the same.
            throw Nobody();
        }

        public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) => throw Nobody();

        public override PSCredential PromptForCredential(
            string caption, string message, string userName, string targetName, PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options)
            => throw Nobody();

        private static PSInvalidOperationException Nobody() => new("Nobody is there to answer.");
    }

    private sealed class Columns : PSHostRawUserInterface
    {
        public override Size BufferSize { get; set; } = new(120, 50);

        public override Size WindowSize { get; set; } = new(120, 50);

        public override Size MaxWindowSize => WindowSize;

        public override Size MaxPhysicalWindowSize => WindowSize;

        public override ConsoleColor ForegroundColor { get; set; }

        public override ConsoleColor BackgroundColor { get; set; }

        public override Coordinates CursorPosition { get; set; }

        public override Coordinates WindowPosition { get; set; }

        public override int CursorSize { get; set; }

        public override string WindowTitle { get; set; } = "";

        public override bool KeyAvailable => false;

        public override KeyInfo ReadKey(ReadKeyOptions options) => throw new NotSupportedException();

        public override void FlushInputBuffer()
        {
        }

        public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw new NotSupportedException();

        public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw new NotSupportedException();

        public override void SetBufferContents(Rectangle rectangle, BufferCell fill) => throw new NotSupportedException();

        public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) => throw new NotSupportedException();
    }
}
