using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Operations;

/// <summary>A change of an image's snapshots, on a thread of its own so that it can be stopped.</summary>
internal static class SnapshotChange
{
    /// <summary>Opens an image, changes it and closes it.</summary>
    /// <param name="path">Full path of the image.</param>
    /// <param name="change">The change; what it returns is returned when all is on the disk.</param>
    /// <param name="stop">Cancelled when the pipeline is stopped.</param>
    internal static T Run<T>(string path, Func<Qcow2Image, CancellationToken, T> change, CancellationToken stop)
    {
        T? result = default;
        LongOperation.Run(
            token =>
            {
                // Snapshots share clusters of this one file: neither its backing file nor its passphrase is needed.
                using Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true, WithoutBacking = true }, token);
                try
                {
                    result = change(image, token);
                    image.Flush();
                }
                catch (ArgumentException e)
                {
                    throw new ImageCmdletException("SnapshotNameInvalid", ErrorCategory.InvalidArgument, ErrorMessage.Text(e));
                }
            },
            () => { },
            stop);
        return result!;
    }
}
