namespace Qcow2.Engine;

/// <summary>The adapter that a VMDK disk is made for. It decides the geometry that the descriptor records.</summary>
public enum VmdkAdapterType
{
    /// <summary>LSI Logic, and with it all newer SCSI, SATA and NVMe adapters: VMware records this one for them.</summary>
    LsiLogic,

    /// <summary>IDE.</summary>
    Ide,

    /// <summary>BusLogic, for old guests.</summary>
    BusLogic,
}
