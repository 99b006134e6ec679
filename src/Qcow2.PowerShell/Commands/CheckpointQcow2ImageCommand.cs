using System.Globalization;
using System.Management.Automation;
using System.Text;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Commands;

/// <summary>Takes internal snapshots of QCOW2 disk images.</summary>
/// <remarks>
/// <para>
/// Checkpoint-Qcow2Image keeps the disk as it is now under a name, inside the image, as <c>qemu-img snapshot -c</c> does. It costs
/// the image's tables, not its data: what is written afterwards takes new space, and the snapshot keeps the old.
/// <c>Restore-Qcow2Snapshot</c> brings the disk back, <c>Export-Qcow2Snapshot</c> writes it to a file of its own.
/// </para>
/// <para>
/// An image that another program has open is refused: a running virtual machine takes its snapshots itself (<c>virsh snapshot-create</c>,
/// <c>savevm</c>). An image with an external data file cannot have internal snapshots. A crash or a power cut at any moment leaves the
/// image with the snapshot or without it.
/// </para>
/// <para>
/// Neither the backing file nor the passphrase of an image is needed.
/// </para>
/// </remarks>
/// <example>
/// <code>Checkpoint-Qcow2Image web01.qcow2</code>
/// <para>Takes a snapshot whose name is made of the image's name and the time: <c>web01 - (2026-11-22 19:30:05)</c>.</para>
/// </example>
/// <example>
/// <code>Get-ChildItem *.qcow2 | Checkpoint-Qcow2Image -SnapshotName before-patch -PassThru</code>
/// <para>Takes a snapshot of every image of the folder, and shows them.</para>
/// </example>
/// <example>
/// <code>Checkpoint-Qcow2Image web01.qcow2 before-patch; Restore-Qcow2Snapshot web01.qcow2 before-patch -Confirm:$false</code>
/// <para>Takes a snapshot and goes back to it.</para>
/// </example>
/// <seealso cref="GetQcow2SnapshotCommand"/>
/// <seealso cref="RestoreQcow2SnapshotCommand"/>
/// <seealso cref="RemoveQcow2SnapshotCommand"/>
[Cmdlet(VerbsData.Checkpoint, "Qcow2Image", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(Qcow2Snapshot), ParameterSetName = [PathSet, LiteralPathSet, InputObjectSet])]
public sealed class CheckpointQcow2ImageCommand : ImageCmdlet
{
    /// <summary>
    /// The snapshot's name, which no other snapshot of the image may have; at most 255 bytes in UTF-8. By default it is made of the
    /// image's name and the time.
    /// </summary>
    /// <value>The image's name and the time</value>
    [Parameter(Position = 1)]
    [Alias("Name", "CheckpointName")]
    [ValidateNotNullOrEmpty]
    public string? SnapshotName { get; set; }

    /// <summary>Emits the new snapshot. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    private protected override void ProcessImage(ImageInput image)
    {
        SnapshotChoice.RequireActiveDisk(image, "the content of another one");
        Qcow2ImageInfo info = Qcow2ImageInfo.Read(image.Path);
        string name = SnapshotName ?? DefaultName(info);
        if (!ShouldProcess(image.Path, $"Take snapshot '{DisplayText.Printable(name)}'"))
        {
            return;
        }

        string id = ImageChange.Run(image.Path, (opened, token) => opened.CreateSnapshot(name, null, token).Id, StopToken);
        if (PassThru)
        {
            WriteObject(Qcow2ImageInfo.Read(image.Path).Snapshots.Single(snapshot => snapshot.Id == id));
        }
    }

    /// <summary>As Hyper-V names a checkpoint, but so that names sort; a second one in the same second gets a number.</summary>
    private static string DefaultName(Qcow2ImageInfo info)
    {
        string stamp = DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        string name = $"{Shortened(System.IO.Path.GetFileNameWithoutExtension(info.Path))} - ({stamp})";
        string unique = name;
        for (int i = 2; info.Snapshots.Any(snapshot => snapshot.Name == unique); i++)
        {
            unique = $"{name} #{i}";
        }

        return unique;
    }

    /// <summary>A file's name may have 255 bytes, and a snapshot's, with the time in it, no more.</summary>
    private static string Shortened(string name)
    {
        const int Longest = 220;
        char[] letters = name.ToCharArray();
        int length = letters.Length;
        while (Encoding.UTF8.GetByteCount(letters, 0, length) > Longest || (length > 0 && char.IsHighSurrogate(letters[length - 1])))
        {
            length--;
        }

        return new string(letters, 0, length);
    }
}
