using System.Management.Automation;
using System.Text;
using Qcow2.Shell.Commands.Content;

namespace Qcow2.Shell.Commands.Data;

/// <summary>Export-Csv: objects as a file of comma-separated values.</summary>
[Cmdlet(VerbsData.Export, "Csv", SupportsShouldProcess = true)]
internal sealed class ExportCsvCommand : CsvCommand, IDisposable
{
    private StreamWriter? _file;

    [Parameter(Mandatory = true, Position = 0)]
    [Alias("LiteralPath", "PSPath")]
    public string Path { get; set; } = "";

    [Parameter]
    [TextEncoding]
    public Encoding Encoding { get; set; } = TextEncodingAttribute.Default;

    [Parameter]
    public SwitchParameter Append { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter NoClobber { get; set; }

    protected override void BeginProcessing()
    {
        string path = GetUnresolvedProviderPathFromPSPath(Path);
        if (ShouldProcess(path))
        {
            FileMode mode = Append ? FileMode.Append : NoClobber ? FileMode.CreateNew : FileMode.Create;
            _file = new StreamWriter(new FileStream(path, mode, FileAccess.Write, FileShare.Read), Encoding);
            SkipHeader = _file.BaseStream.Position > 0;
        }
    }

    private protected override void WriteCsvLine(string line) => _file?.WriteLine(line);

    public void Dispose() => _file?.Dispose();
}
