using System.Management.Automation;

namespace Qcow2.Shell.Commands.Data;

/// <summary>Writes objects as lines of comma-separated values; the first object names the columns.</summary>
internal abstract class CsvCommand : PSCmdlet
{
    private string[]? _columns;

    [Parameter(Mandatory = true, ValueFromPipeline = true)]
    public PSObject InputObject { get; set; } = new();

    [Parameter]
    public char Delimiter { get; set; } = ',';

    /// <summary>Accepted; type information is never written.</summary>
    [Parameter]
    [Alias("NTI")]
    public SwitchParameter NoTypeInformation { get; set; }

    /// <summary>The header is there already.</summary>
    private protected bool SkipHeader { get; set; }

    protected override void ProcessRecord()
    {
        if (_columns is null)
        {
            _columns = [.. InputObject.Properties.Select(p => p.Name)];
            if (!SkipHeader)
            {
                WriteCsvLine(Line(_columns));
            }
        }

        WriteCsvLine(Line(_columns.Select(c => LanguagePrimitives.ConvertTo<string>(InputObject.Properties[c]?.Value))));
    }

    /// <summary>Takes one line, without its line end.</summary>
    private protected abstract void WriteCsvLine(string line);

    private string Line(IEnumerable<string?> fields) =>
        string.Join(Delimiter, fields.Select(f => $"\"{f?.Replace("\"", "\"\"", StringComparison.Ordinal)}\""));
}
