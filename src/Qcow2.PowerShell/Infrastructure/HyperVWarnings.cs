using Qcow2.Engine;
using Qcow2.Engine.Storage;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>What of a new VHD or VHDX keeps Hyper-V from taking it, said when it is complete.</summary>
internal static class HyperVWarnings
{
    /// <summary>Looks at a file that was made.</summary>
    /// <param name="path">The file.</param>
    /// <param name="layout">What it was made as.</param>
    /// <param name="size">Size of its disk, in bytes.</param>
    internal static IEnumerable<string> Of(string path, DiskCreateOptions layout, long size)
        => Of(path, layout, size, System.IO.Path.DirectorySeparatorChar == '\\' ? File.GetAttributes(path) : FileAttributes.Normal);

    /// <summary>The same, of a file with such attributes on Windows.</summary>
    internal static IEnumerable<string> Of(string path, DiskCreateOptions layout, long size, FileAttributes attributes)
    {
        if (layout is VhdCreateOptions && size > VhdCreateOptions.MaxCommonSize)
        {
            yield return $"{path}: a VHD of more than {DisplayText.Size(VhdCreateOptions.MaxCommonSize)} is taken by Azure only, not by Windows; for Hyper-V write a VHDX.";
        }

        if (layout is VhdCreateOptions { AzureReady: false } or VhdxCreateOptions)
        {
            foreach (string problem in HyperVFile.ProblemsOf(attributes))
            {
                yield return $"{path}: Hyper-V would not take this file. {problem}";
            }
        }
    }
}
