namespace Qcow2.PowerShell.Tests.Shell;

/// <summary>A module of the same name with one command and a view, so that the shell is tested apart from the real one.</summary>
public sealed class StubModule : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("qcow2sh");

    public StubModule()
    {
        Write("Qcow2/Qcow2.psd1", """
            @{ RootModule = 'Qcow2.psm1'; ModuleVersion = '0.0.1'; FunctionsToExport = 'Get-Stub'; FormatsToProcess = 'Qcow2.Format.ps1xml' }
            """);
        Write("Qcow2/Qcow2.psm1", "function Get-Stub { [pscustomobject]@{ PSTypeName = 'Qcow2.Stub'; Size = 3GB; A = 1; B = 2; C = 3; D = 4 } }");
        Write("Qcow2/Qcow2.Format.ps1xml", """
            <Configuration><ViewDefinitions><View><Name>Stub</Name><ViewSelectedBy><TypeName>Qcow2.Stub</TypeName></ViewSelectedBy>
            <TableControl><TableHeaders><TableColumnHeader><Label>Size(GiB)</Label></TableColumnHeader></TableHeaders>
            <TableRowEntries><TableRowEntry><TableColumnItems><TableColumnItem><ScriptBlock>$_.Size / 1GB</ScriptBlock></TableColumnItem>
            </TableColumnItems></TableRowEntry></TableRowEntries></TableControl></View></ViewDefinitions></Configuration>
            """);
    }

    public string Folder => _root.FullName;

    public string Write(string name, string text)
    {
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    public void Dispose() => _root.Delete(recursive: true);
}
