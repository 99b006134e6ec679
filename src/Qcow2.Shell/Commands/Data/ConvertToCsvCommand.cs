using System.Management.Automation;

namespace Qcow2.Shell.Commands.Data;

/// <summary>ConvertTo-Csv: objects as lines of comma-separated values.</summary>
[Cmdlet(VerbsData.ConvertTo, "Csv")]
[OutputType(typeof(string))]
internal sealed class ConvertToCsvCommand : CsvCommand
{
    private protected override void WriteCsvLine(string line) => WriteObject(line);
}
