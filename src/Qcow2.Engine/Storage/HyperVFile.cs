namespace Qcow2.Engine.Storage;

/// <summary>What Hyper-V, Mount-VHD and diskpart want of the file that a VHD or VHDX lies in, whatever its content.</summary>
public static class HyperVFile
{
    /// <summary>Says why they would refuse a file (error 0xC03A001A); nothing if they would take it.</summary>
    /// <param name="attributes">The file's attributes on Windows.</param>
    /// <returns>A sentence for each reason, with what can be done.</returns>
    public static IReadOnlyList<string> ProblemsOf(FileAttributes attributes)
    {
        var problems = new List<string>();
        if (attributes.HasFlag(FileAttributes.SparseFile))
        {
            problems.Add("The file is sparse: copy it to a new file in a way that leaves no holes.");
        }

        if (attributes.HasFlag(FileAttributes.Compressed))
        {
            problems.Add("The file is compressed by the file system: compact /u takes that away.");
        }

        if (attributes.HasFlag(FileAttributes.Encrypted))
        {
            problems.Add("The file is encrypted by the file system (EFS): cipher /d takes that away.");
        }

        if (attributes.HasFlag(FileAttributes.IntegrityStream))
        {
            problems.Add("The file has an integrity stream of ReFS: Set-FileIntegrity -Enable $false takes that away.");
        }

        return problems;
    }
}
