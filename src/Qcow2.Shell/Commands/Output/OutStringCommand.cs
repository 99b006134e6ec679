using System.Management.Automation;
using Qcow2.Shell.Hosting;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Out-String: what a user would see, as a string.</summary>
[Cmdlet(VerbsData.Out, "String")]
[OutputType(typeof(string))]
internal sealed class OutStringCommand : TextCommand
{
    private readonly StringWriter _text = new();

    [Parameter]
    public SwitchParameter Stream { get; set; }

    [Parameter]
    public SwitchParameter NoNewline { get; set; }

    protected override void BeginProcessing()
    {
        Writer = _text;
        base.BeginProcessing();
    }

    protected override void ProcessRecord()
    {
        base.ProcessRecord();
        WriteLines();
    }

    protected override void EndProcessing()
    {
        base.EndProcessing();
        WriteLines();
        if (!Stream)
        {
            WriteObject(Ansi.Strip(NoNewline ? _text.ToString().ReplaceLineEndings("") : _text.ToString()));
        }
    }

    private void WriteLines()
    {
        if (Stream && _text.GetStringBuilder().Length > 0)
        {
            string[] lines = Ansi.Strip(_text.ToString()).ReplaceLineEndings("\n").Split('\n');
            WriteObject(lines[..^1], enumerateCollection: true);
            _text.GetStringBuilder().Clear();
        }
    }
}
