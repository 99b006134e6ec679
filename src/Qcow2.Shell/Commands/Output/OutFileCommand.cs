using System.Management.Automation;
using System.Text;
using Qcow2.Shell.Commands.Content;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Out-File: what a user would see, in a file. The redirections <c>></c> and <c>>></c> run it.</summary>
[Cmdlet(VerbsData.Out, "File", SupportsShouldProcess = true)]
internal sealed class OutFileCommand : TextCommand
{
    private StreamWriter? _file;

    [Parameter(Mandatory = true, Position = 0)]
    [Alias("Path")]
    public string FilePath { get; set; } = "";

    [Parameter(Position = 1)]
    [TextEncoding]
    public Encoding Encoding { get; set; } = TextEncodingAttribute.Default;

    [Parameter]
    public SwitchParameter Append { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    [Alias("NoOverwrite")]
    public SwitchParameter NoClobber { get; set; }

    [Parameter]
    public SwitchParameter NoNewline { get; set; }

    protected override void BeginProcessing()
    {
        string path = GetUnresolvedProviderPathFromPSPath(FilePath);
        if (ShouldProcess(path))
        {
            FileMode mode = Append ? FileMode.Append : NoClobber ? FileMode.CreateNew : FileMode.Create;
            _file = new StreamWriter(new FileStream(path, mode, FileAccess.Write, FileShare.Read), Encoding);
            Writer = new PlainTextWriter(_file, NoNewline);
        }

        base.BeginProcessing();
    }

    protected override void InternalDispose()
    {
        base.InternalDispose();
        _file?.Dispose();
    }
}
