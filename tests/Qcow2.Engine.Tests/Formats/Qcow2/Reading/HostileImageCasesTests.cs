using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>The table of hostile images tells the truth about qemu-img, and each entry makes sense.</summary>
public sealed class HostileImageCasesTests
{
    public static TheoryData<string> Names => HostileImageCases.Names;

    [QemuTheory, MemberData(nameof(Names))]
    public void Qemu_does_what_the_table_says(string name)
    {
        HostileImageCase hostile = HostileImageCases.Get(name);
        using var folder = new TempFolder();
        folder.Write("image.qcow2", hostile.Build());
        foreach ((string file, byte[] content) in hostile.Files)
        {
            folder.Write(file, content);
        }

        (QemuVerdict verdict, string said) = Judge(hostile, folder);
        Assert.True(hostile.Qemu == verdict, $"The table says {hostile.Qemu}, but it is {verdict}: {said}");
        if (hostile.Sector is not null)
        {
            QemuImg.RunIn(
                folder.Path, "convert", "-O", "raw", "--image-opts",
                $"driver=raw,offset={hostile.ReadOffset},size=512,file.driver=qcow2,file.file.driver=file,file.file.filename=image.qcow2", "sector");
            Assert.Equal(hostile.Sector, File.ReadAllBytes(folder.File("sector")));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Case_is_whole(string name)
    {
        HostileImageCase hostile = HostileImageCases.Get(name);
        Assert.Equal(hostile.Stage == HostileStage.Never, hostile.Code is null);
        Assert.Equal(hostile.Stage == HostileStage.Snapshot, hostile.SnapshotId is not null);
        Assert.Equal(hostile.Build(), hostile.Build());
    }

    private static (QemuVerdict Verdict, string Said) Judge(HostileImageCase hostile, TempFolder folder)
    {
        // The image alone: no backing file.
        string[] source = ["--image-opts", "driver=qcow2,file.driver=file,file.filename=image.qcow2,backing="];
        if (hostile.Passphrase is not null)
        {
            source = ["--object", $"secret,id=key,data={hostile.Passphrase}", source[0], source[1] + ",encrypt.key-secret=key"];
        }

        string command = hostile.ReadOffset < 0 ? "length" : $"read {hostile.ReadOffset} 512";
        ProgramResult result = QemuImg.TryRunIoIn(folder.Path, ["-r", "-c", command, .. source]);
        string said = result.Error + result.Output;
        if (said.Contains("can't open", StringComparison.Ordinal))
        {
            return (QemuVerdict.RefusesToOpen, said);
        }

        if (hostile.SnapshotId is not null)
        {
            ProgramResult snapshot = QemuImg.TryRunIn(folder.Path, ["convert", "-O", "raw", "-l", $"snapshot.id={hostile.SnapshotId}", .. source, "raw"]);
            if (snapshot.ExitCode != 0)
            {
                return (QemuVerdict.RefusesSnapshot, snapshot.Error);
            }
        }

        return (result.ExitCode == 0 ? QemuVerdict.Accepts : QemuVerdict.FailsToRead, said);
    }
}
